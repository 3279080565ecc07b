import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ModelFileError, quoted } from '../errors.js';
import { type Sampler, samplers } from '../schedulers/index.js';
import { readJson } from './files.js';

// Option names of the API; a family's own, for users who name nothing
const side = z.int().min(64).max(4096).multipleOf(8);
const schema = z.object({
  width: side.optional(),
  height: side.optional(),
  sampler: z.enum(samplers as readonly [Sampler, ...Sampler[]]).optional(),
  schedule: z.enum(['default', 'karras', 'exponential', 'beta']).optional(),
  steps: z.int().min(1).max(1000).optional(),
  guidanceScale: z.number().min(0).max(50).optional(),
  adapter: z.string().optional(),
  scale: z.number().min(-1).max(5).optional(),
  detSize: z.int().min(32).max(4096).multipleOf(32).optional(),
});

/** What a family's `defaults.json` says. Sizes in px; `detSize` is the side of the face detector's canvas. */
export type FamilyDefaults = Readonly<z.infer<typeof schema>>;

export const readFamilyDefaults = (json: unknown, path: string): FamilyDefaults => {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ModelFileError(
    'MODEL_HEADER_INVALID',
    `${quoted(path)}: ${issue.path.join('.')}: ${issue.message}`,
    'Take defaults.json anew from where the model came from',
    { details: { path } },
  );
};

/** The defaults of the family that a model folder or a face network belongs to: beside it, or one folder up. */
export const familyDefaults = async (path: string): Promise<FamilyDefaults> => {
  for (const folder of [path, dirname(path), dirname(dirname(path))]) {
    const file = join(folder, 'defaults.json');
    const json = await readJson(file);
    if (json) return readFamilyDefaults(json, file);
  }
  return {};
};
