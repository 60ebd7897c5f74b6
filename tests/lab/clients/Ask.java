// The resolver of the JVM, which caches, and for SRV that of JNDI: see ask.c for what comes in and goes out.
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import javax.naming.NamingEnumeration;
import javax.naming.directory.InitialDirContext;

public class Ask {
	static List<String> addresses(String name) throws Exception {
		List<String> found = new ArrayList<>();
		for (InetAddress each : InetAddress.getAllByName(name))
			found.add(each.getHostAddress());
		return found;
	}

	static List<String> services(String name) throws Exception {
		Hashtable<String, String> environment = new Hashtable<>();
		environment.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
		environment.put("java.naming.provider.url", "dns:");
		NamingEnumeration<?> records =
			new InitialDirContext(environment).getAttributes(name, new String[] {"SRV"}).get("SRV").getAll();
		List<String> found = new ArrayList<>();
		while (records.hasMore()) {
			String[] fields = records.next().toString().split(" "); // priority, weight, port, target
			found.add(fields[2] + ":" + fields[3]);
		}
		return found;
	}

	public static void main(String[] arguments) throws IOException {
		BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
		for (String line; (line = lines.readLine()) != null;) {
			String[] words = line.split(" ");
			try {
				System.out.println(String.join(" ", words[0].equals("srv") ? services(words[1]) : addresses(words[1])));
			} catch (Exception error) {
				System.out.println("- " + error);
			}
		}
	}
}
