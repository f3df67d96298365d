"""Is a potential sound? Its errors on every set, beside DFT, and in use."""
