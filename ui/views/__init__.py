"""The pages, a folder each where they have several views.

Not called ``pages``: beside its script Streamlit takes a folder of that name for pages of its own.
"""
