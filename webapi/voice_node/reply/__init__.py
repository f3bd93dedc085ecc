"""One orchestrator at work: its hooks called safely, its replies timed, cut into pieces and paced; fillers, prompts."""
