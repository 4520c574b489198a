/** Of a picture: 64 million, which as RGBA of 8 bits are 256 MiB. */
export const MAX_PIXELS = 2 ** 26;
/** Of a picture's file; it is read whole. */
export const MAX_PICTURE = 2 ** 28;
