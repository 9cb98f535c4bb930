"""Shrinks a PNG that the caller sends, with nothing but the standard library.

Event: {"image": "<base64 of a PNG>", "size": 64}. The answer's longer side is at most `size`; small images stay.
"""

import base64

import png

SIZE_DEFAULT = 64
SIZE_MAX = 1024


def fit(width, height, size):
    """The largest measures within size x size of the same shape, and no larger than the image."""
    longer = max(width, height, size)
    return max(1, width * size // longer), max(1, height * size // longer)


def shrink(image, width, height):
    """A box filter: each new pixel is the mean of the old ones that it covers."""
    rows = []
    for y in range(height):
        top, bottom = y * image.height // height, max((y + 1) * image.height // height, y * image.height // height + 1)
        row = bytearray()
        for x in range(width):
            left, right = x * image.width // width, max((x + 1) * image.width // width, x * image.width // width + 1)
            count = (bottom - top) * (right - left)
            for channel in range(image.channels):
                begin, end = left * image.channels + channel, right * image.channels
                row.append(sum(sum(line[begin:end:image.channels]) for line in image.rows[top:bottom]) // count)
        rows.append(bytes(row))
    return png.Image(width, height, image.channels, rows)


def lambda_handler(event, context):
    size = event.get("size", SIZE_DEFAULT)
    if not isinstance(size, int) or not 0 < size <= SIZE_MAX:
        raise ValueError(f"'size' has to be a number from 1 to {SIZE_MAX}")
    if not isinstance(event.get("image"), str):
        raise ValueError("the event needs an 'image': base64 of a PNG")
    image = png.decode(base64.b64decode(event["image"], validate=True))
    small = shrink(image, *fit(image.width, image.height, size))
    return {
        "width": small.width,
        "height": small.height,
        "was": [image.width, image.height],
        "image": base64.b64encode(png.encode(small)).decode("ascii"),
    }
