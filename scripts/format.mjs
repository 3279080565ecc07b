// npm run format: formats everything in place. Without --write it only says what it would change.
import { biome, clangFormat } from './style.mjs';

const write = process.argv.includes('--write');
const results = [biome({ write, lint: false }), clangFormat({ write })];
process.exitCode = results.every(Boolean) ? 0 : 1;
