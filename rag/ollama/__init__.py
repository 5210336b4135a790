"""Manages the local Ollama: process, hosts and models."""
