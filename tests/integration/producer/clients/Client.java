// Java's HttpClient. Reads the lines that test_clients.py wrote, and prints for each the answer's status and body.

import java.io.FileInputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newBuilder().sslContext(trusting(arguments[1])).build();
        for (var line : Files.readAllLines(Path.of(arguments[0]))) {
            var field = line.split("\t");
            var query = "?key=" + encoded(field[4]) + "&headers=" + encoded(field[5]);
            var request = HttpRequest.newBuilder(URI.create(field[0] + query))
                .header("Authorization", "Bearer " + field[1])
                .header("Content-Type", field[2])
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(field[3])))
                .build();
            var answer = client.send(request, BodyHandlers.ofString());
            System.out.println(answer.statusCode() + "\t" + answer.body());
        }
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    static SSLContext trusting(String file) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (var pem = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
