"""The queue before the model: tickets, admission, wait estimates."""
