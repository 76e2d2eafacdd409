"""Where Perenne lives on this machine (`home`) and the few settings an archive may change (`perenne.toml`)."""
