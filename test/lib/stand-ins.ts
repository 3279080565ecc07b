// Levels that compute in bf16 are tested on every CPU: on the unit where the CPU has it, else on plain C++ in its place.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const release = fileURLToPath(new URL('../../build-cmake/Release', import.meta.url));

/** Makes this process, before it has loaded the addon, compute on the level, or else on its stand-in. */
export const useLevel = (level: string): void => {
  const binary = join(release, 'ipa_stand_ins.node');
  const { levels } = createRequire(import.meta.url)(binary) as { levels(): string[] };
  process.env.IPA_BINARY = binary;
  process.env.IPA_CPU = levels().includes(level) ? level : `${level}-stand-in`;
};
