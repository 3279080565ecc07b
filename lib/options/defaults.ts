/** Defaults of the two families of models, where a model says nothing of its own. */
export const MODEL_DEFAULTS = {
  guidanceScale: { sd15: 7.5, sdxl: 5 },
  size: { sd15: 512, sdxl: 1024 }, // px
  scalingFactor: { sd15: 0.18215, sdxl: 0.13025 }, // of the VAE. source: diffusers
} as const;
