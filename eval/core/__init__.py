"""What all evaluations share: question sets, runs on disk, statistics, options."""
