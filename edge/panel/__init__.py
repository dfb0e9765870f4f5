"""The technician's command line, and the socket it talks to."""
