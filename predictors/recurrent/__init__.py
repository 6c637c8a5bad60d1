"""Recurrent nets as learners; the only package that imports torch, and only when a net is trained."""
