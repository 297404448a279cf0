"""What goes out: the image, the lock files, the kubectl plugin for krew. Nothing here is part of the package."""
