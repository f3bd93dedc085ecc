"""A cluster on this machine without Docker: Redis, LiveKit nodes, workers, and Prometheus if wanted.

    async with cluster(folder, nodes=2, workers=3) as running:
        running.nodes[0].url      # where callers and workers join
        running.workers[0].kill()

`python -m deploy.cluster` starts the same for people.
"""
