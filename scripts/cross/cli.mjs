// node scripts/cross/cli.mjs MACHINE TARGET…   builds targets of CMakeLists.txt for a machine of machines.mjs
import { crossBuild } from './build.mjs';
import { machine } from './machines.mjs';

const [name, ...targets] = process.argv.slice(2);
try {
  process.stdout.write(`${crossBuild(machine(name ?? ''), targets)}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
