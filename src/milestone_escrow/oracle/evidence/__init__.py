"""Files handed in for milestones: kept by their SHA-256, listed in manifests."""
