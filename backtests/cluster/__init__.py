"""Where the windows of a walk-forward are trained, and how a run that was killed resumes."""
