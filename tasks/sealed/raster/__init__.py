"""Pictures: decoded exactly, written as baseline TIFF 6.0, read back by others. Runs in the sandbox alone.

What was decided, and holds for every module here:

- Pixels stay as they are stored. Orientation (TIFF tag 274, EXIF) is carried as a tag and never applied.
- Palettes stay palettes (PhotometricInterpretation 3) unless the source makes some of their colours transparent:
  TIFF has no such thing, so these become RGB with unassociated alpha.
- Grey of 2 and 4 bits and everything of 9 to 15 bits is widened by repeating its bits (v << 4 | v for 4 bits): exact,
  and undone by a shift. 1, 8, 16 and 32 bits stay what they are.
- Frames of a moving GIF, PNG or WebP are stored as a viewer shows them, composed on a transparent ground.
- Pixels of Adobe CMYK JPEG, which are stored inverted, are turned to TIFF's sense (0 = no ink).
- An unknown resolution stays unknown: ResolutionUnit 1, never an invented 300 dpi.
- Reduced-resolution pages (NewSubfileType bit 0) and EXIF thumbnails are left out: they are made from the picture.
"""
