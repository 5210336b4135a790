"""The Performance page: latency by stage, and the machine."""
