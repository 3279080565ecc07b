// Converts until it is killed. Built code, and no more of it than is needed: a fast start.
import { convert } from '../../../dist/convert/convert.js';

const [source, target] = process.argv.slice(2);
process.stdout.write('ready\n');
for (;;) await convert(source, target, { overwrite: true });
