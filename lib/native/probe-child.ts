// node probe-child.js LIBRARY: opens a device library and its driver and writes what it finds, one line of JSON. A
// process of its own, since a broken driver may crash or hang whoever opens it.
import { toError } from '../errors.js';
import { addon } from './native.js';

const answer = (): object => {
  try {
    return { devices: addon().probe(process.argv[2] ?? '').devices };
  } catch (error) {
    const { code, message, hint } = toError(error);
    return { error: { code, message, hint } };
  }
};

process.stdout.write(`\n${JSON.stringify(answer())}\n`); // after whatever a driver prints
