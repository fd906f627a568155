"""From the bytes of an image file to what an image encoder takes."""
