import { ModelMismatchError, quoted } from '../errors.js';
import { checkKind } from '../files/kinds.js';
import type { FileInfo } from '../native/types.js';

const UNET = 'model.diffusion_model.';

/** Parts of a checkpoint beside its UNet, by the beginnings of their tensors' names. */
const PARTS = [
  { what: 'text encoder', beginnings: ['cond_stage_model.', 'conditioner.embedders.'] },
  { what: 'VAE', beginnings: ['first_stage_model.'] },
] as const;

/** Refuses a file that is something else than a base model, or lacks a part of one, before anything of it is read. */
export const checkSingleFile = (path: string, { kind, tensors }: FileInfo): void => {
  const holds = (beginnings: readonly string[]): boolean =>
    tensors.some(({ name }) => beginnings.some((beginning) => name.startsWith(beginning)));
  if (!holds([UNET])) {
    checkKind(path, kind, 'load');
    return;
  }
  const missing = PARTS.filter(({ beginnings }) => !holds(beginnings)).map(({ what }) => what);
  if (missing.length === 0) return;
  throw new ModelMismatchError(
    'TENSOR_MISSING',
    `${quoted(path)} holds no ${missing.join(' and no ')}`,
    'Give the full checkpoint, or a diffusers folder that has all parts',
    { details: { path, missing } },
  );
};
