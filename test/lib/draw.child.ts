// Draws the tests' scene once in this process; writes the SHA-256 of its pixels.
import { Pipeline } from '../../lib/index.js';
import { drawn, sketch } from './sketch.js';

await using pipe = await Pipeline.load(sketch.path);
process.stdout.write(`${await drawn(pipe, JSON.parse(process.argv[2] ?? '{}'))}\n`);
