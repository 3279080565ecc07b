// What `require('node-ip-adapter')` gives: the ES module itself, the one that `import` gives, so that there is one addon
// and one class of each error however a program loads the package.
//
// trap: Jest puts a `require` of its own in place of Node's, that of createRequire and of getBuiltinModule too, and it
// reads no ES modules. Jest's files run in another realm; runInThisContext reaches the one that Node itself runs in.
import vm = require('node:vm');

// biome-ignore lint/suspicious/noGlobalAssign: no global, the parameter that every CommonJS file is called with
require = vm.runInThisContext("process.getBuiltinModule('node:module').createRequire")(__filename);
// bundlers see this name and take the ES module along, which then says that it was bundled (native/package.ts)
import api = require('./index.js');
export = api;
