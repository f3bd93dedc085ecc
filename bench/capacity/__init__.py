"""How many nodes so many calls need: a simulation of a cluster, from what one node was measured to carry."""
