"""Port boards simulated: outlets with batteries on them, under the twin of each protocol."""
