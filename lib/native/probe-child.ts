// node probe-child.js LIBRARY: opens a device library and its driver and writes what it finds, one line of JSON. A
// process of its own, since a broken driver may crash or hang whoever opens it.
import { BinaryError, quoted, toError } from '../errors.js';
import { addon, addonPath } from './native.js';

const answer = (): object => {
  try {
    const { probe } = addon();
    if (probe) return { devices: probe(process.argv[2] ?? '').devices };
    throw new BinaryError(
      'BINARY_INCOMPATIBLE',
      `The native addon ${quoted(addonPath())} is from before cards`,
      'Build it anew: npx node-ip-adapter build',
    );
  } catch (error) {
    const { code, message, hint } = toError(error);
    return { error: { code, message, hint } };
  }
};

process.stdout.write(`\n${JSON.stringify(answer())}\n`); // after whatever a driver prints
