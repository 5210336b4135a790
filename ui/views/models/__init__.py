"""The Models page: installed models, quantization, calibration."""
