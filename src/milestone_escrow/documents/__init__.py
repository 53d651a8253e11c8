"""The people's side: agreement files, schedules, checks, evidence manifests. All of it pure."""
