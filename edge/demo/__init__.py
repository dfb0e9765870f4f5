"""A whole site in a minute: headquarters, a daemon and twins as processes, and customers who come and go."""
