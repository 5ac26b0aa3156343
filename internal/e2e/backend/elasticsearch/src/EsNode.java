import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Starts one real Elasticsearch node without the distribution's own start-up checks, so that root may run it.
 * Arguments: HOME RUN_DIR setting=value... When it serves, RUN_DIR/port holds its HTTP port.
 */
public class EsNode {
    private static final String LOG4J = """
        status = error
        appender.console.type = Console
        appender.console.name = console
        appender.console.layout.type = PatternLayout
        appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
        rootLogger.level = info
        rootLogger.appenderRef.console.ref = console
        """;

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]).toAbsolutePath();
        Path run = Path.of(args[1]).toAbsolutePath();
        Map<String, String> overrides = new HashMap<>();
        for (int i = 2; i < args.length; i++) {
            String[] setting = args[i].split("=", 2);
            overrides.put(setting[0], setting[1]);
        }
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureESLogging();
        Node node = new Node(environment(home, run, overrides), modules(home));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        Path tmp = run.resolve("port.tmp");
        Files.writeString(tmp, Integer.toString(port));
        Files.move(tmp, run.resolve("port"), StandardCopyOption.ATOMIC_MOVE);
        Thread.currentThread().join();
    }

    private static Environment environment(Path home, Path run, Map<String, String> overrides) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", home)
            .put("path.data", run.resolve("data"))
            .put("path.logs", run.resolve("logs"))
            .build();
        Path conf = Files.createDirectories(run.resolve("config"));
        Files.writeString(conf.resolve("log4j2.properties"), LOG4J);
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings, overrides, conf, () -> "node-1");
        LogConfigurator.configure(env, true);
        return env;
    }

    private static PluginsLoader modules(Path home) throws Exception {
        return PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(home.resolve("modules")),
            PluginsLoader.loadPluginsBundles(home.resolve("plugins")),
            Map.of()
        );
    }

    private static void close(Node node) {
        try {
            node.prepareForClose();
            node.close();
        } catch (Exception e) {
            e.printStackTrace();
        }
    }
}
