"""HumanEval for the ``code`` profile: functions that a model completes, run in a sandbox, judged outside of it."""
