// The addon for a machine, as it is published.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { crossBuild } from './build.mjs';
import { ENTRIES } from './check-file.mjs';
import { finishMachO } from './mach-o-finish.mjs';

/** @param {import('./machines.mjs').Machine} machine @returns {Buffer} */
export function addonFor(machine) {
  const bytes = readFileSync(path.join(crossBuild(machine, ['node_ip_adapter']), 'node_ip_adapter.node'));
  if (machine.system !== 'Darwin') return bytes;
  return finishMachO(bytes, { exported: ENTRIES, identifier: 'node-ip-adapter' });
}
