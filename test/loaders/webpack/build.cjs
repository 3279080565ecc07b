// `node build.cjs ENTRY external|bundled`: one file in out/, an ES module for an .mjs, CommonJS for a .cjs.
const { extname, join } = require('node:path');
const webpack = require('webpack');

const [, , entry, what] = process.argv;
const isModule = extname(entry) === '.mjs';
const config = {
  mode: 'development', // minifying takes longer than all other loaders
  devtool: false,
  target: 'node',
  entry: `./${entry}`,
  externals: what === 'external' ? ['node-ip-adapter'] : [],
  externalsType: isModule ? 'module' : 'commonjs',
  experiments: { outputModule: isModule },
  output: { path: join(__dirname, 'out'), filename: `out${extname(entry)}`, module: isModule },
};

webpack(config, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString('errors-only'));
});
