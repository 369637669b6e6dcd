"""Classical codecs on the frames of a clip."""
