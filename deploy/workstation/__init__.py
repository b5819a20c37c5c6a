"""The operator's machine: files, programs, git, hooks, downloads and `state/`."""
