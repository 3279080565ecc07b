/** Every default that no model names. */
export const DEFAULTS = {
  steps: 30,
  guidanceScale: { sd15: 7.5, sdxl: 5 },
  size: { sd15: 512, sdxl: 1024 }, // px, where a model says nothing
  guidanceRescale: 0,
  count: 1,
  clipSkip: 0,
  promptSyntax: 'a1111',
  metadata: true,
  scale: 1,
  loraScale: 1,
  structureScale: 1,
  pickFace: 'largest',
  faceCrop: 224, // px
  maxQueue: 64, // waiting runs
  maxPixels: 33_554_432, // 8192 × 4096
  background: '#ffffff',
} as const;
