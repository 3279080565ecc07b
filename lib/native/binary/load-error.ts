import { BinaryError } from '../../errors.js';
import type { LoadFacts, Source } from './facts.js';
import { type Failure, placesText } from './failure.js';
import { machineText } from './machine.js';
import { MISFITS } from './misfit.js';
import { MISSING } from './missing.js';
import { REFUSED } from './refused.js';
import { shippedFile } from './shipped.js';

/** Every way to fail, in the order in which they are asked. */
export const FAILURES: readonly Failure[] = [...MISSING, ...MISFITS, ...REFUSED];

/** Where another file than the package's own was taken, the hint is about that. */
export const FILE_HINTS: Partial<Record<Source, string>> = {
  IPA_BINARY: 'Set IPA_BINARY to an addon for this machine and of this version, or unset it',
  build: 'It was built here and is taken before prebuilt ones. Build it anew: npx node-ip-adapter build, or remove it',
};

/** What a build on this machine stands before. */
const shadowText = ({ source, machine, carried = [] }: LoadFacts): string => {
  const prebuilt = shippedFile(machine);
  return source === 'build' && carried.includes(prebuilt) ? `; prebuilds/${prebuilt} stands behind it` : '';
};

/** Why the addon is not to be had: the first row that fits, and in `details` all that was looked up. */
export const loadError = (facts: LoadFacts, cause?: unknown): BinaryError => {
  const failure = FAILURES.find(({ fits }) => fits(facts))!; // the last one fits always
  const { machine, file } = facts;
  const places = failure.tellsPlaces ? placesText(facts) : '';
  const message = `${failure.message(facts)}${shadowText(facts)} (${machineText(machine)})${places}`;
  const hint = (failure.isOfFile && FILE_HINTS[facts.source]) || failure.hint;
  const { platform, arch, libc, libcVersion, node } = machine;
  const details = {
    failure: failure.id,
    platform,
    arch,
    libc,
    libcVersion,
    node,
    source: facts.source,
    path: facts.path,
    tried: facts.tried,
    prebuilds: facts.carried,
    found: file.state === 'file' ? `${file.size} bytes, ${file.kind.text}` : file.state,
    reason: facts.reason,
  };
  return new BinaryError(failure.code, message, hint, {
    details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)),
    ...(cause === undefined ? {} : { cause }),
  });
};
