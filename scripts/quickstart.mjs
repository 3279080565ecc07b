// npm run quickstart: the first command in a clone. Builds what is missing, then draws one picture with the bundled
// model: a face from a reference picture, everything else from the prompt. Flags after `--` go to the CLI and win:
//   npm run quickstart -- --prompt "portrait of a man, laughing, blue background" --seed 3
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensureBuilt, root } from './ensure-built.mjs';

const defaults = {
  '--prompt': 'portrait of a woman, smiling, wearing a blue sweater, green background',
  '--reference': path.join(root, 'models', 'sketch', 'references', 'person-3-1.png'),
  '--seed': '2',
  '--out': 'portrait.png',
};

const given = process.argv.slice(2);
const isGiven = (flag) => given.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
const args = Object.entries(defaults)
  .filter(([flag]) => !isGiven(flag))
  .flat();

await ensureBuilt();
const cli = path.join(root, 'dist', 'cli', 'index.js');
// npm changes to the package's folder; paths in the flags are meant from where the user stood.
const child = spawn(process.execPath, [cli, 'generate', ...args, ...given], {
  cwd: process.env.INIT_CWD ?? process.cwd(),
  stdio: 'inherit',
});
process.on('SIGINT', () => {}); // the CLI gets it as well, and ends with 130
child.on('close', (status, signal) => {
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
});
