"""Writers: a scene in, one complete file out."""
