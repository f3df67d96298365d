"""What is measured in structures: arrays go in, results come out, no file is opened."""
