// Node's two resolvers: ask.js lookup, which is the C library's, and ask.js resolve, which is c-ares. See ask.c for what comes in
// and goes out.
const dns = require('dns').promises;

const addresses = {
	lookup: async name => (await dns.lookup(name, {all: true})).map(each => each.address),
	resolve: name => dns.resolve4(name),
}[process.argv[2]];

const services = async name => (await dns.resolveSrv(name)).map(each => `${each.port}:${each.name}`);

async function main() {
	for await (const line of require('readline').createInterface({input: process.stdin})) {
		const [method, name] = line.split(' ');
		try {
			console.log((await (method === 'srv' ? services : addresses)(name)).join(' '));
		} catch (error) {
			console.log('-', error.message);
		}
	}
}

main();
