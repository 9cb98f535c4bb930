"""PNG as far as thumbnails need it (https://www.w3.org/TR/png/): 8 bits a channel, not interlaced, no palette."""

import dataclasses
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS_MAX = 16_000_000
# Channels by colour type: grey, RGB, grey and alpha, RGBA.
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
COLOUR_TYPES = {channels: colour_type for colour_type, channels in CHANNELS.items()}


@dataclasses.dataclass
class Image:
    width: int
    height: int
    channels: int
    rows: list  # of bytes, width * channels each


def chunks(data):
    """The (type, content) of each chunk, checked against its sum."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        if len(content) != length or at + 12 + length > len(data):
            break
        if struct.unpack_from(">I", data, at + 8 + length)[0] != zlib.crc32(kind + content):
            raise ValueError("the image is damaged: a checksum does not match")
        yield kind, content
        if kind == b"IEND":
            return
        at += 12 + length
    raise ValueError("the image is cut off")


def paeth(a, b, c):
    """Of left, above and above-left the one nearest to left + above - above-left."""
    p = a + b - c
    distance_a, distance_b, distance_c = abs(p - a), abs(p - b), abs(p - c)
    if distance_a <= distance_b and distance_a <= distance_c:
        return a
    return b if distance_b <= distance_c else c


def unfilter(kind, line, above, step):
    """Undoes a row's filter in place; `step` is the bytes of a pixel."""
    if kind == 0:
        return
    if kind > 4:
        raise ValueError(f"the image is damaged: there is no filter {kind}")
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        if kind == 1:
            predicted = left
        elif kind == 2:
            predicted = above[i]
        elif kind == 3:
            predicted = (left + above[i]) // 2
        else:
            predicted = paeth(left, above[i], above[i - step] if i >= step else 0)
        line[i] = (line[i] + predicted) & 0xFF


def decode(data):
    if not data.startswith(SIGNATURE):
        raise ValueError("the image is not a PNG")
    header, packed = None, bytearray()
    for kind, content in chunks(data):
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", content)
        elif kind == b"IDAT":
            packed += content
    if header is None:
        raise ValueError("the image has no header")
    width, height, depth, colour_type, _, _, interlace = header
    if depth != 8 or colour_type not in CHANNELS or interlace:
        raise ValueError("only images of 8 bits a channel, without palette or interlacing, are understood")
    if not 0 < width * height <= PIXELS_MAX:
        raise ValueError(f"an image may have up to {PIXELS_MAX} pixels")

    channels = CHANNELS[colour_type]
    stride = width * channels
    # Decompressing stops at the size that the header promises, whatever the image holds.
    pixels = zlib.decompressobj().decompress(bytes(packed), (stride + 1) * height)
    if len(pixels) != (stride + 1) * height:
        raise ValueError("the image is cut off")
    rows, above = [], bytearray(stride)
    for begin in range(0, len(pixels), stride + 1):
        line = bytearray(pixels[begin + 1 : begin + 1 + stride])
        unfilter(pixels[begin], line, above, channels)
        rows.append(bytes(line))
        above = line
    return Image(width, height, channels, rows)


def encode(image):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", image.width, image.height, 8, COLOUR_TYPES[image.channels], 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in image.rows)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
