"""The end product beside the adapter."""
