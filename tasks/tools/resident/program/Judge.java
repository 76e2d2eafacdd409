import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.verapdf.ReleaseDetails;
import org.verapdf.core.EncryptedPdfException;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;
import org.verapdf.pdfa.validation.profiles.RuleId;
import org.verapdf.pdfa.validation.validators.ValidatorFactory;

/**
 * The veraPDF engine as a resident: one JSON line with a path and a flavour in, one JSON line with the verdict out.
 *
 * <p>The flavour is always named by the asker: without one, the engine fails on a PDF that claims nothing.
 * The clauses are those of ISO 19005 as veraPDF's validation profiles number them.
 */
public final class Judge {
    private static final Pattern MEMBER = Pattern.compile("\"(path|flavour|id)\"\\s*:\\s*\"([^\"\\\\]*)\"");
    private static final int MESSAGE_LENGTH = 300;

    private Judge() {}

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // whatever a library prints must not pass for an answer
        LogManager.getLogManager().getLogger("").setLevel(Level.SEVERE);
        VeraGreenfieldFoundryProvider.initialise();
        answers.println("{\"agents\": " + agents() + "}");
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Map<String, String> request = request(line);
            String answer = answer(request);
            String id = ", \"id\": " + quoted(request.getOrDefault("id", "")) + "}";
            answers.println(answer.substring(0, answer.length() - 1) + id);
        }
    }

    /** Name and version of each part of the engine that shapes a verdict, as the engine itself tells them. */
    private static String agents() {
        ReleaseDetails.addDetailsFromResource(
            ReleaseDetails.APPLICATION_PROPERTIES_ROOT + "validation-model." + ReleaseDetails.PROPERTIES_EXT);
        List<String> rows = new ArrayList<>();
        for (ReleaseDetails part : ReleaseDetails.getDetails()) {
            String name = part.getId().equals("core") ? "veraPDF" : "veraPDF " + part.getId();
            rows.add("[" + quoted(name) + ", " + quoted(part.getVersion()) + "]");
        }
        rows.sort(Comparator.comparingInt(String::length));
        return rows.toString();
    }

    private static Map<String, String> request(String line) {
        Map<String, String> request = new HashMap<>();
        Matcher member = MEMBER.matcher(line);
        while (member.find()) {
            request.put(member.group(1), member.group(2));
        }
        return request;
    }

    private static String answer(Map<String, String> request) {
        try {
            return verdict(new File(request.get("path")), flavour(request.get("flavour")));
        } catch (EncryptedPdfException failure) {
            return error("encrypted", failure);
        } catch (OutOfMemoryError failure) {
            return error("memory", failure);
        } catch (Exception | StackOverflowError failure) {
            return error("parse", failure);
        }
    }

    private static PDFAFlavour flavour(String id) {
        PDFAFlavour flavour = PDFAFlavour.byFlavourId(id);
        if (flavour == PDFAFlavour.NO_FLAVOUR) {
            throw new IllegalArgumentException("no such flavour: " + id);
        }
        return flavour;
    }

    private static String verdict(File file, PDFAFlavour flavour) throws Exception {
        try (PDFAParser parser = Foundries.defaultInstance().createParser(file, flavour);
                PDFAValidator validator = ValidatorFactory.createValidator(flavour, -1, false, true, false)) {
            ValidationResult result = validator.validate(parser);
            return "{\"ok\": true, \"valid\": " + result.isCompliant() + ", \"clauses\": " + clauses(result) + "}";
        }
    }

    /** Each failed rule once: [clause, test number, how often, the first message]. */
    private static List<String> clauses(ValidationResult result) {
        Map<RuleId, String> messages = new HashMap<>();
        for (TestAssertion failed : result.getTestAssertions()) {
            String text = failed.getErrorMessage() == null ? failed.getMessage() : failed.getErrorMessage();
            messages.putIfAbsent(failed.getRuleId(), text);
        }
        List<RuleId> rules = new ArrayList<>(result.getFailedChecks().keySet());
        rules.sort(Comparator.comparing(RuleId::getClause).thenComparingInt(RuleId::getTestNumber));
        List<String> rows = new ArrayList<>();
        for (RuleId rule : rules) {
            rows.add(String.format(Locale.ROOT, "[%s, %d, %d, %s]", quoted(rule.getClause()), rule.getTestNumber(),
                result.getFailedChecks().get(rule), quoted(shortened(messages.getOrDefault(rule, "")))));
        }
        return rows;
    }

    private static String error(String kind, Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null && cause.getCause() != cause) {
            cause = cause.getCause(); // the engine wraps what it means in "Couldn't parse stream"
        }
        return "{\"error\": " + quoted(kind) + ", \"text\": " + quoted(shortened(String.valueOf(cause))) + "}";
    }

    private static String shortened(String text) {
        return text.length() > MESSAGE_LENGTH ? text.substring(0, MESSAGE_LENGTH) : text;
    }

    /** A JSON string in ASCII (RFC 8259, section 7). */
    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter < ' ' || letter > '~' || letter == '"' || letter == '\\') {
                quoted.append(String.format(Locale.ROOT, "\\u%04x", (int) letter));
            } else {
                quoted.append(letter);
            }
        }
        return quoted.append('"').toString();
    }
}
