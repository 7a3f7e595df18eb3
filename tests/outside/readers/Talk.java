// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import javax.smartcardio.Card;
import javax.smartcardio.CardException;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.ResponseAPDU;
import javax.smartcardio.CommandAPDU;
import javax.smartcardio.TerminalFactory;

/**
 * A terminal in Java: one line of standard input, one line of answer, the ATR first.
 *
 * <p>The argument is a part of the reader's name. A line is a C-APDU in hex, answered with its
 * R-APDU; `begin` and `end`, around what no other program may come between; or `reset`, answered
 * with the ATR. What Java will not send or cannot is answered with an exclamation mark and why.
 */
public final class Talk {
    private static final HexFormat HEX = HexFormat.of().withUpperCase();

    public static void main(String[] arguments) throws Exception {
        CardTerminal terminal = null;
        for (CardTerminal each : TerminalFactory.getDefault().terminals().list()) {
            if (each.getName().contains(arguments[0])) {
                terminal = each;
            }
        }
        if (terminal == null || !terminal.waitForCardPresent(10_000)) {
            throw new CardException("no card in a reader called " + arguments[0]);
        }
        Card card = terminal.connect("*");
        say(card.getProtocol() + " " + HEX.formatHex(card.getATR().getBytes()));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                switch (line) {
                    case "begin" -> card.beginExclusive();
                    case "end" -> card.endExclusive();
                    case "reset" -> {
                        card.disconnect(true);
                        card = terminal.connect("*");
                    }
                    default -> { }
                }
                if (line.equals("reset")) {
                    say(HEX.formatHex(card.getATR().getBytes()));
                } else if (line.equals("begin") || line.equals("end")) {
                    say(line);
                } else {
                    CommandAPDU command = new CommandAPDU(HEX.parseHex(line));
                    ResponseAPDU answer = card.getBasicChannel().transmit(command);
                    say(HEX.formatHex(answer.getBytes()));
                }
            } catch (CardException | IllegalArgumentException | IllegalStateException error) {
                say("! " + error);
            }
        }
        card.disconnect(false);
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
