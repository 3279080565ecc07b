/** Compute capabilities times ten that the CUDA library has images or code for; native/cuda/images.cmake builds them. */
export const ARCHITECTURES = [75, 80, 86, 89, 90, 120];
/** Most bytes of all images together, compressed as the library has them. */
export const MOST_BYTES = 12e6;
