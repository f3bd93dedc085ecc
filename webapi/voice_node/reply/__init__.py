"""One orchestrator at work: its calls made safe, its audio paced, fillers and prompts."""
