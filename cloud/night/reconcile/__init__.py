"""Does what was told add up? Pure comparisons of two accounts of the same thing; each gives findings, never a fix."""
