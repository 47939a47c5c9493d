/** Entry of the dashboard. */

import { render } from "preact";

import "../ui/look.css";
import "../ui/parts.css";
import "./dashboard.css";
import "./detail.css";
import "./panels.css";
import "./tables.css";
import { DashboardPage } from "./page.tsx";

const root = document.getElementById("page");
if (root) render(<DashboardPage />, root);
